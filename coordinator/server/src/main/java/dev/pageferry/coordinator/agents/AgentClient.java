package dev.pageferry.coordinator.agents;

import dev.pageferry.proto.agent.v1.ConsoleOutput;
import dev.pageferry.proto.agent.v1.CreateDiskRequest;
import dev.pageferry.proto.agent.v1.CreateVmRequest;
import dev.pageferry.proto.agent.v1.DigestVmResponse;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.agent.v1.DiskLease;
import dev.pageferry.proto.agent.v1.GetIncomingResponse;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.agent.v1.PrepareIncomingRequest;
import dev.pageferry.proto.agent.v1.ResolveSpecResponse;
import dev.pageferry.proto.agent.v1.RestoreVmRequest;
import dev.pageferry.proto.agent.v1.RestoreVmUpdate;
import dev.pageferry.proto.agent.v1.SaveVmRequest;
import dev.pageferry.proto.agent.v1.SaveVmResult;
import dev.pageferry.proto.agent.v1.SavedStateProgress;
import dev.pageferry.proto.agent.v1.StartOutgoingRequest;
import dev.pageferry.proto.agent.v1.UseConsoleRequest;
import dev.pageferry.proto.agent.v1.VerifyVmUpdate;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.agent.v1.VmStatus;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;

/**
 * What the coordinator asks of agents, each at its HOST:PORT. Calls block their thread. Short ones are bounded in time;
 * those that take as long as the work takes (create, digest, verify, watch) end by an interrupt.
 */
public interface AgentClient extends AutoCloseable {
  /** Has the host complete the specification of a VM that is to be created there; may take as long as to start a few programs. */
  ResolveSpecResponse resolveSpec(String address, VmSpec spec) throws AgentException;

  /** Whether the host has what a VM needs that is to come there, disks and free memory apart; refused with the reason. */
  void checkArrival(String address, VmSpec spec) throws AgentException;

  VmStatus createVm(String address, CreateVmRequest request) throws AgentException;

  void destroyVm(String address, String vmId, long epoch) throws AgentException;

  VmStatus pauseVm(String address, String vmId) throws AgentException;

  VmStatus resumeVm(String address, String vmId) throws AgentException;

  /** Asks the guest to switch itself off; the state tells whether it did within that time. */
  VmStatus powerDownVm(String address, String vmId, Duration atMost) throws AgentException;

  /** Takes as long as the request says that it may wait. */
  ConsoleOutput useConsole(String address, UseConsoleRequest request) throws AgentException;

  VmStatus getVm(String address, String vmId) throws AgentException;

  DigestVmResponse digestVm(String address, String vmId) throws AgentException;

  /** Hears the replay's progress, and at last its result; ends early when the caller is gone. */
  void verifyVm(String address, String vmId, Consumer<VerifyVmUpdate> updates) throws AgentException;

  void prepareIncoming(String address, PrepareIncomingRequest request) throws AgentException;

  void startOutgoing(String address, StartOutgoingRequest request) throws AgentException;

  /** Hears every change of a migration until its last one. */
  void watchOutgoing(String address, String migrationId, Consumer<OutgoingStatus> updates) throws AgentException;

  /** Saves a VM to shared storage. */
  SaveVmResult saveVm(String address, SaveVmRequest request, Consumer<SavedStateProgress> progress)
      throws AgentException;

  /** Brings a saved VM back to life. */
  RestoreVmUpdate restoreVm(String address, RestoreVmRequest request, Consumer<SavedStateProgress> progress)
      throws AgentException;

  /**
   * Deletes a state of a VM that is on the storage.
   *
   * @param file empty: all states of that VM
   */
  void discardSavedStates(String address, String vmId, String file) throws AgentException;

  Disk createDisk(String address, CreateDiskRequest request) throws AgentException;

  List<Disk> listDisks(String address) throws AgentException;

  /** @param name of a disk, or the absolute path of what is passed through */
  Disk getDisk(String address, String name) throws AgentException;

  /** Who opened which disk of its storage last. */
  List<DiskLease> listDiskLeases(String address) throws AgentException;

  void deleteDisk(String address, String name) throws AgentException;

  /** False if commit was asked before. */
  boolean cancelOutgoing(String address, String migrationId) throws AgentException;

  GetIncomingResponse.State incomingState(String address, String migrationId) throws AgentException;

  @Override
  void close();
}
