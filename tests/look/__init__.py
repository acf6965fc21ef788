"""How the pages look: pictures of two revisions, made on one machine and compared."""
