"""Policy files as admins write them: described once, read, and told to editors."""
