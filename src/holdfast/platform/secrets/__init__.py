"""What a credential may hold, which one a run gets, and how its tokens are renewed."""
