"""What an author deploys: the project, its two file forms, and the way into the store."""
