"""Certificates for servers of tests, and for what is wrong with them."""

import pathlib
import subprocess


class Certificates:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    def make(self, name, host="IP:127.0.0.1", clock=None):
        """One that signs itself: (certificate, key).  `clock` is faketime's: when it was made;
        it is good for a day."""
        certificate, key = (self.directory / f"{name}.{kind}" for kind in ("crt", "key"))
        subprocess.run([*(["faketime", "-f", clock] if clock else []),
                        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", f"/CN={name}",
                        "-addext", f"subjectAltName={host}", "-keyout", str(key),
                        "-out", str(certificate)], check=True, capture_output=True)
        return str(certificate), str(key)

    def bundle(self, *certificates):
        """A file for the key `ca`."""
        path = self.directory / "ca.pem"
        path.write_text("".join(pathlib.Path(c).read_text() for c, _ in certificates))
        return path
