"""What a recipe will do, step by step, and what that costs."""
