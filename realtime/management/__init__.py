"""Commands for who runs a project with `realtime`."""
