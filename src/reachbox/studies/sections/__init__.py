"""What studies found, as sections of a page: one file a study, and the words that all of them use."""

from reachbox.studies.sections.comparison import comparison_highlights, comparison_sections
from reachbox.studies.sections.sample_boxes import sample_boxes_section
from reachbox.studies.sections.words import words_section

__all__ = ["comparison_highlights", "comparison_sections", "sample_boxes_section", "words_section"]
