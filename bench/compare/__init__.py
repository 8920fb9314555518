"""Ways of posting, side by side."""
