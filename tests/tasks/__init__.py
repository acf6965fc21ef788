"""What people do on the page, done by a real browser against a real `holdfast up`."""
