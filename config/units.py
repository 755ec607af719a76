"""Units in which the bounds of settings are written."""

KIB = 1024
MIB = 1024 * KIB
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
