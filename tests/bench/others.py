"""What people could run instead, as Debian packages it, set to queue on disk."""

import pathlib
import subprocess

from .systems import System

PACKAGES = {"rsyslog": ("rsyslog", "rsyslog-relp", "rsyslog-elasticsearch"),
            "syslog-ng": ("syslog-ng-core", "syslog-ng-mod-http")}


def fetch(system, folder):
    """Unpacks the packages, and those they need, below `folder`, once; the two exclude each
    other, so neither is installed.  Answers why not, or None."""
    root = folder / system
    if (root / "whole").exists():
        return None
    debs = root / "packages"
    debs.mkdir(parents=True, exist_ok=True)
    try:
        plan = subprocess.run(["apt-get", "install", "--simulate", "--reinstall",
                               "--no-install-recommends", *PACKAGES[system]],
                              capture_output=True, text=True, check=True)
        names = [line.split()[1] for line in plan.stdout.splitlines() if line.startswith("Inst ")]
        subprocess.run(["apt-get", "download", "-q", *names], cwd=debs, capture_output=True,
                       text=True, check=True)
        for package in debs.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, root], check=True)
    except OSError as error:
        return f"{error.filename} is not there"
    except subprocess.CalledProcessError as error:
        return (error.stderr or str(error)).strip().splitlines()[-1]
    (root / "whole").touch()
    return None


class Packaged(System):
    """From a folder where its packages were unpacked."""

    package = ""

    def __init__(self, folder, others):
        super().__init__(folder)
        self.root = pathlib.Path(others) / self.package
        libraries = [path for path in (*self.root.glob("usr/lib/*-linux-gnu"),
                                       *self.root.glob("lib/*-linux-gnu"),
                                       self.root / "usr/lib/syslog-ng")]
        self.environment = {"LD_LIBRARY_PATH": ":".join(map(str, libraries)),
                            "PATH": "/usr/bin:/bin"}


class Rsyslog(Packaged):
    """Acknowledges what is in its disk queue.  Each message is one POST: of rsyslog's outputs
    that speak HTTP, Debian has omelasticsearch."""

    package = "rsyslog"
    name = "rsyslog, disk queue, checkpoint 1"
    way_in = "RELP"
    form = {"form": "relp"}
    queue = ""

    def configure(self, sinks):
        def post(sink):
            port = sink.partition(":")[2].partition(":")[2].partition("/")[0]
            return (f'action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" '
                    'searchIndex="x" searchType="_doc" template="raw" bulkmode="off" '
                    'action.resumeretrycount="-1" action.resumeinterval="1")')
        branches = " else ".join(f'if $!data!route == "{name}" then {{ {post(url)} }}'
                                 for name, url in sinks.items())
        (self.folder / "rsyslog.conf").write_text(f"""
global(workDirectory="{self.folder}" maxMessageSize="64k")
main_queue(queue.type="Direct")
module(load="imrelp")
module(load="mmjsonparse")
module(load="omelasticsearch")
template(name="raw" type="string" string="%msg%")
input(type="imrelp" port="{self.port}" ruleset="in" maxDataSize="64k")
ruleset(name="in" queue.type="disk" queue.filename="in" queue.checkpointinterval="1"
        queue.maxdiskspace="50g" queue.size="20000000" {self.queue}) {{
    action(type="mmjsonparse" cookie="")
    {branches}
}}
action(type="omfile" file="{self.folder}/messages")
""")

    def command(self):
        modules, = self.root.glob("usr/lib/*/rsyslog")
        return [self.root / "usr/sbin/rsyslogd", "-n", "-f", self.folder / "rsyslog.conf",
                "-i", self.folder / "pid", "-M", modules]


class RsyslogSynced(Rsyslog):
    name = "rsyslog, the same, each write synced"
    queue = 'queue.syncqueuefiles="on"'


class SyslogNg(Packaged):
    """Its strongest setting; it has none that syncs, and nobody is told what it has taken."""

    package = "syslog-ng"
    name = "syslog-ng, reliable disk-buffer, one POST for each event"
    way_in = "TCP lines, no acknowledgement"
    form = {"form": "tcp"}
    batching = ""

    def configure(self, sinks):
        def destination(name, url):
            return (f'destination {name} {{ http(url("{url}") method("POST") body("${{MESSAGE}}") '
                    f'persist-name("{name}") retries(1000000) {self.batching} '
                    'disk-buffer(reliable(yes) disk-buf-size(20000000000) '
                    f'mem-buf-size(100000000) dir("{self.folder}"))); }};')
        branches = " el".join(f'if {{ filter {{ "${{.j.data.route}}" eq "{name}" }}; '
                              f'destination({name}); }}' for name in sinks)
        destinations = "\n".join(destination(*sink) for sink in sinks.items())
        (self.folder / "syslog-ng.conf").write_text(f"""
@version: 3.38
@module afsocket
@module json-plugin
@module http
@module disk-buffer
options {{ stats-freq(0); log-msg-size(65536); }};
source in {{ network(ip("127.0.0.1") port({self.port}) transport("tcp") flags(no-parse)
             max-connections(1000) log-iw-size(100000) log-fetch-limit(1000)); }};
parser json {{ json-parser(prefix(".j.")); }};
{destinations}
log {{ source(in); parser(json); {branches}; }};
""")

    def command(self):
        modules, = self.root.glob("usr/lib/syslog-ng/[0-9]*")
        return [self.root / "usr/sbin/syslog-ng", "-F", "-f", self.folder / "syslog-ng.conf",
                "--persist-file", self.folder / "persist", "--pidfile", self.folder / "pid",
                "--control", self.folder / "control", "--module-path", modules, "--no-caps"]


class SyslogNgBatches(SyslogNg):
    name = "syslog-ng, reliable disk-buffer, batches of 100"
    events = 100
    batching = 'batch-lines(100) batch-timeout(100) delimiter("\\n")'


ALL = (Rsyslog, RsyslogSynced, SyslogNg, SyslogNgBatches)
