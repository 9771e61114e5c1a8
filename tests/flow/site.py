"""The cloud the shipped conf.d/ expects, and the environment that makes it quick."""

BUCKET = "acme-site-metadata"
TYPES = ("in", "opt", "out")
QUICK = {"RELEASE_WAIT": "300ms", "REFRESH_WAIT": "200ms", "S3_POLL": "1s",
         "STREAM_POLL": "250ms", "BUILD_POLL": "200ms", "GITHUB_SWEEP": "1m",
         "RETRY": "1h, 100ms..400ms"}

# The kinds of plugin conf.d/ does without.
REST = """
[source in]
plugin = http-in

[sink archive]
plugin = file
path = /dev/null
fsync = no

[sink copy]
plugin = http
url = ${env:CLOUD}/sink/copy

[rule keep]
on = order.*
do = archive, copy
"""


def furnish(cloud, build_seconds=0.3):
    """Table, buckets, project, distribution, repository and token."""
    cloud.create_table("algorithms")
    cloud.s3.bucket(name=BUCKET)
    for kind in TYPES:
        cloud.s3.put(bucket=BUCKET, key=f"metadata/{kind}.json", body='{"active": {}}')
    cloud.codebuild.project(name="site", seconds=build_seconds)
    cloud.cloudfront.distribution(name="EOTHER", origins=["acme-site-old.s3.amazonaws.com"])
    cloud.cloudfront.distribution(name="ESITE", origins=[
        "api.example.com", "acme-site.s3.eu-west-1.amazonaws.com"])
    cloud.cloudfront.page(distributions=1)
    cloud.github.repository(name="acme/site")
    cloud.github.token(token="github-token-of-tests")
    cloud.ssm.set(name="/site/github-token", value="github-token-of-tests")
    cloud.github.push(name="acme/site", branch="main")


def complete(cloud, algorithm, version, kind):
    """An algorithm's version passes its tests."""
    key = f"{algorithm}-{version}"
    cloud.put_item("algorithms", id=key, algorithm=algorithm, version=version, type=kind,
                   phase="PACKAGE_BUILT")
    cloud.update_item("algorithms", {"id": key}, phase="PACKAGE_TESTS_COMPLETE")


def newest(cloud):
    """The versions the next build must be given."""
    return {f"{kind.upper()}_VERSION":
            cloud.s3.versions(bucket=BUCKET, key=f"metadata/{kind}.json")[-1] for kind in TYPES}


def pinned(build):
    """The versions a build was given."""
    variables = build["started_with"]["environmentVariablesOverride"]
    return {v["name"]: v["value"] for v in variables if v["name"].endswith("_VERSION")}
