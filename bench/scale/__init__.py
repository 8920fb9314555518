"""What a broadcast costs at any size: its requests, counted, and their price."""
