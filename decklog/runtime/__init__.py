"""What every service's process needs: settings, supervision, backoff, logs, telemetry, its ops address, its emitter.

Nothing here knows what a service does. What belongs to one service only stays in that service.
"""
