package dev.pageferry.simulation;

import dev.pageferry.agent.disk.Devices;
import dev.pageferry.agent.disk.DiskFormat;
import dev.pageferry.agent.disk.LeaseStore;
import dev.pageferry.agent.disk.OpenDisk;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/** Shared storage, as one process reaches it. */
final class SimulatedStorageClient implements LeaseStore, Devices {
  private final SimulatedStorage storage;
  private final SimulatedScheduler host;
  private final String incarnation;

  SimulatedStorageClient(SimulatedStorage storage, SimulatedScheduler host, String incarnation) {
    this.storage = storage;
    this.host = host;
    this.incarnation = incarnation;
  }

  @Override
  public Optional<byte[]> read(String name) throws IOException {
    storage.travel(host);
    return Optional.ofNullable(storage.files.get(name));
  }

  @Override
  public List<String> names() throws IOException {
    storage.travel(host);
    return List.copyOf(new TreeSet<>(storage.files.keySet()));
  }

  @Override
  public void write(String name, byte[] contents) throws IOException {
    byte[] copy = contents.clone();
    storage.change(host, name, () -> storage.files.put(name, copy));
  }

  @Override
  public void delete(String name) throws IOException {
    storage.change(host, name, () -> storage.files.remove(name));
  }

  @Override
  public Optional<Lock> tryLock(String name) throws IOException {
    return Optional.ofNullable(storage.tryLock(host, name));
  }

  @Override
  public Holding holding(String name) throws IOException {
    return storage.holding(host, name);
  }

  @Override
  public Optional<String> wwid(Path file) {
    return Optional.empty();
  }

  @Override
  public Optional<String> lun(Path file) {
    return Optional.empty();
  }

  @Override
  public OpenDisk open(Path file, DiskFormat format) {
    String fileName = file.getFileName().toString();
    return storage.disk(fileName.substring(0, fileName.lastIndexOf('.'))).open(host, incarnation);
  }

  @Override
  public String toString() {
    return "storage";
  }
}
