"""What pictures say in numbers, and how far the numbers can be trusted."""
