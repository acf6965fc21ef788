"""What starts runs: webhook, cron, and people's actions."""
