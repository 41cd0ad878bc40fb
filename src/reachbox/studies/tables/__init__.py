"""The experiments of Sec. 6: methods on identical mini-batches, the paper's figures, and the chapters made of them."""
