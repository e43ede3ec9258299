"""A running deployment: its units start side by side, each after what it needs, and stop in reverse."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO

from pytest_deploycheck.demo import target_file
from pytest_deploycheck.demo.process import Daemon, StartError, drop, hold_until_swept
from pytest_deploycheck.demo.units import UNITS, Unit, with_needs
from pytest_deploycheck.demo.world import World, is_free

_SWEEP_S = 10.0

Progress = Callable[[str, float], None]


class Deployment:
    """The reference deployment in a folder.

    `start` returns when everything answers and has written DIR/target.toml. It writes every configuration
    file afresh, so that starting again mends what was broken by hand; data, ports, secrets and certificates
    stay. `lived`: how long it has been live already, for a new folder; it then has a past, see demo/past.py.
    """

    def __init__(
        self, directory: Path, units: Sequence[Unit] = UNITS, *, lived: timedelta = timedelta()
    ) -> None:
        self.world = World(Path(directory), lived)
        self.absent: dict[str, str] = {}  # unit -> why this machine does not run it
        self._units = {unit.name: unit for unit in units}
        self._daemons: dict[str, Daemon] = {}
        self._unit_of: dict[str, Unit] = {}
        self._guard = threading.Lock()
        self._stopping = False
        self._lock: IO[str] | None = None

    @classmethod
    def only(cls, directory: Path, *names: str, lived: timedelta = timedelta()) -> Deployment:
        """Describe a part: the units of these names and all that they need."""
        return cls(directory, with_needs(names), lived=lived)

    def __enter__(self) -> Deployment:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def target(self) -> Path:
        """The target file that the suites are run against."""
        return self.world.dir / "target.toml"

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the servers that were started."""
        return tuple(self._daemons)

    def service(self, name: str) -> Daemon:
        """Return a server; KeyError names those that there are."""
        if name not in self._daemons:
            raise KeyError(f"no service {name!r}; running are: {', '.join(self._daemons) or 'none'}")
        return self._daemons[name]

    def start(self, progress: Progress = lambda name, seconds: None) -> None:
        """Start everything; whatever fails stops the rest and is raised. `progress` hears of each unit."""
        self._take_folder()
        self._stopping = False
        begun = time.monotonic()
        finished = {name: threading.Event() for name in self._units}
        failures: list[BaseException] = []

        def bring_up(unit: Unit) -> None:
            try:
                for need in unit.needs:
                    finished[need].wait()
                if not failures:
                    self._bring_up(unit)
                    progress(unit.name, time.monotonic() - begun)
            except BaseException as error:
                failures.append(error)
            finally:
                finished[unit.name].set()

        threads = [threading.Thread(target=bring_up, args=(unit,)) for unit in self._units.values()]
        try:
            self._check_ports()
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads) and not failures:
                time.sleep(0.005)
            if failures:
                raise failures[0]
            target_file.write(self.world, self._units.keys() - self.absent.keys(), self.absent)
        except BaseException:
            self.stop()
            raise
        finally:
            for thread in threads:
                if thread.ident is not None:
                    thread.join()

    def stop(self) -> None:
        """Stop everything, clients before the servers that they use; nothing happens when nothing runs."""
        with self._guard:
            self._stopping = True
        for names in self._layers():
            with ThreadPoolExecutor(len(names)) as pool:
                list(pool.map(lambda name: self._daemons[name].stop(), names))
        self._daemons.clear()
        self._unit_of.clear()
        self.world.release_ports()
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            drop(self._lock.fileno())
            self._lock.close()
            self._lock = None

    def restart(self, name: str) -> None:
        """Stop a server and start it with the configuration that is on disk."""
        daemon = self.service(name)
        daemon.stop()
        daemon.start()
        daemon.wait_ready()
        if self._unit_of[name].forgets:
            for unit in self._units.values():
                if unit.step is not None and self._needs(unit, self._unit_of[name]):
                    unit.step(self.world)

    def reload(self, name: str) -> None:
        """Put a server's edited configuration into force, by restarting it when it knows no other way."""
        daemon = self.service(name)
        reload = getattr(self._unit_of[name].load(), "reload", None)
        if reload is None:
            self.restart(name)
        else:
            reload(self.world, daemon)

    def _bring_up(self, unit: Unit) -> None:
        reason = unit.absent()
        if reason is not None and unit.required:
            raise StartError(f"{unit.name} cannot run here: {reason}")
        if reason is not None:
            self.absent[unit.name] = reason
            return
        daemons = unit.daemons(self.world)
        for daemon in daemons:
            with self._guard:
                if self._stopping:
                    return
                daemon.start()
                self._daemons[daemon.name] = daemon
                self._unit_of[daemon.name] = unit
        for daemon in daemons:
            daemon.wait_ready()
        if unit.step is not None:
            unit.step(self.world)

    def _needs(self, unit: Unit, other: Unit) -> bool:
        return other.name in unit.needs or any(self._needs(self._units[need], other) for need in unit.needs)

    def _layers(self) -> list[list[str]]:
        """Group the servers by how many others stand before them, last first."""

        def depth(unit: Unit) -> int:
            return max((1 + depth(self._units[need]) for need in unit.needs), default=0)

        layers: dict[int, list[str]] = {}
        for name, unit in self._unit_of.items():
            layers.setdefault(depth(unit), []).append(name)
        return [layers[key] for key in sorted(layers, reverse=True)]

    def _take_folder(self) -> None:
        """Make this process the only one that runs the folder; a killed one's servers are awaited to end."""
        if self._lock is not None:
            raise StartError(f"the deployment in {self.world.dir} is already running")
        file = (self.world.dir / ".lock").open("a+")
        deadline = time.monotonic() + _SWEEP_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                file.seek(0)
                owner = file.read().strip()
                if Path(f"/proc/{owner}").exists() or time.monotonic() > deadline:
                    file.close()
                    raise StartError(
                        f"{self.world.dir} is run by process {owner}; stop that or choose another folder"
                    ) from None
                time.sleep(0.05)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        hold_until_swept(file.fileno())
        self._lock = file

    def _check_ports(self) -> None:
        """Refuse to start where a port is taken: another server would answer in the place of ours."""
        self.world.reserve()
        taken = {name: port for name, port in self.world.ports().items() if not is_free(port)}
        if taken:
            ports = ", ".join(f"{port} ({name})" for name, port in taken.items())
            raise StartError(
                f"ports of {self.world.dir} are in use by something else: {ports}; "
                f"stop it, or delete {self.world.dir}/world.json for new ones"
            )
