"""Why a call is, was or would be decided as it is, down to each part of each condition."""
