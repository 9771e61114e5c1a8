"""A stand-in for the cloud: DynamoDB, S3, SQS, CodeBuild, CloudFront, SSM, STS, GitHub, Slack.

One process on loopback, Python's standard library only.  It keeps real state (items, object
versions, builds that progress by themselves), answers in the services' own protocols, can be
made to misbehave (see control.py), and remembers every request it saw.
"""
