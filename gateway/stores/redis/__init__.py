"""The store several replicas share: Redis 7 or later, or Valkey, alone or as a cluster."""
