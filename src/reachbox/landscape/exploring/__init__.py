"""The loop: what to search next, the searches, and who does them."""
