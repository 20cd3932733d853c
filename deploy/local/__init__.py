"""The local stack: a real Kafka, PostgreSQL, Kubernetes control plane and the three services, on loopback.

One supervisor process starts, watches and stops everything; all state lives in one git-ignored folder; what is slow to
obtain (jars, the control-plane binary) lives in one cache shared by every checkout. Nothing here is imported by the
product: it speaks to the services through their settings only. For development and CI, never for production.
"""
