"""Why runs ended as they did, from what the database has: for pages and for the API."""
