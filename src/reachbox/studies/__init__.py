"""What the paper shows, computed again: a study takes settings and gives values, a report draws them."""

from reachbox.studies.chapters import CHAPTERS, reproduce
from reachbox.studies.comparison import Contender, Trained, train_contenders
from reachbox.studies.sample_boxes import SampleBoxes, boxes_of_sample

__all__ = ["CHAPTERS", "Contender", "SampleBoxes", "Trained", "boxes_of_sample", "reproduce", "train_contenders"]
