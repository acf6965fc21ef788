"""Tables, transactions and queries: everything of the platform that touches the database."""
