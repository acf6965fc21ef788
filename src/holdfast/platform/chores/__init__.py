"""What a platform does by itself, beside requests; of several platforms one does it."""
