"""The stores, held to one behaviour."""
