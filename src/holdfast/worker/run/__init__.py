"""The life of one run in the agent: plan, input, credentials, launch."""
