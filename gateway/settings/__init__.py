"""
Every setting the gateway has, and the file that names the providers.

Read once, at start (goodgate.yaml again at a reload); after that they are plain
values handed to whoever needs them. No other room reads the environment.
"""

from gateway.settings.environment import Settings, from_environment
from gateway.settings.providers import Deployment, Provider, load
from gateway.settings.trackers import Tracker

__all__ = ["Deployment", "Provider", "Settings", "Tracker", "from_environment", "load"]
