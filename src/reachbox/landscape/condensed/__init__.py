"""Networks without the units that do nothing or repeat another, and searches in them."""
