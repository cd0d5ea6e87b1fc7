"""The shared store of several replicas: PostgreSQL through psycopg, one database for all."""
