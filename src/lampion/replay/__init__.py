"""Replay: calls that were made before are matched against their record instead of made again."""
