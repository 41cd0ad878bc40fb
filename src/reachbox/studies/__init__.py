"""What the paper shows, computed again: a study takes settings and gives values, a report draws them."""

from reachbox.studies.comparison import Contender, Trained, train_contenders
from reachbox.studies.quick import run_quick
from reachbox.studies.sample_boxes import SampleBoxes, boxes_of_sample

__all__ = ["Contender", "SampleBoxes", "Trained", "boxes_of_sample", "run_quick", "train_contenders"]
