package dev.pageferry.coordinator.rpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import dev.pageferry.coordinator.request.Requests.Content;
import dev.pageferry.coordinator.request.Requests.Finished;
import dev.pageferry.proto.cluster.v1.RestoreVmRequest;
import dev.pageferry.proto.cluster.v1.RestoreVmUpdate;
import dev.pageferry.proto.cluster.v1.StartVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Set;

/** The methods of the Cluster service and of planned work that change something, and what makes two calls of them the same. */
final class ChangingMethods {
  private static final String START = "StartVm";
  private static final String RESTORE = "RestoreVm";
  /** Of one VM, which the request names. */
  private static final Set<String> OF_A_VM = Set.of(START, RESTORE, "PauseVm", "ResumeVm", "SetVm", "StopVm",
      "DeleteVm", "SaveVm");
  private static final Set<String> OTHERS = Set.of("CreateVm", "CreateDisk", "DeleteDisk", "AddVtep", "DeleteVtep",
      "MigrateLive", "MigrateQuick", "CancelMigration", "ConfirmHostDead", "RepairRecords", "ClaimVm", "DrainHost",
      "ActivateHost", "Rebalance", "CancelPlan");

  private ChangingMethods() {
  }

  static boolean contains(String method) {
    return OF_A_VM.contains(method) || OTHERS.contains(method);
  }

  /** The id that the request itself carries; empty: none. */
  static String requestId(Message request) {
    return field(request, "request_id");
  }

  /** The name of the VM that the method changes; empty: it changes none that there is. */
  static String vmName(String method, Message request) {
    return OF_A_VM.contains(method) ? field(request, "name") : "";
  }

  private static String field(Message request, String name) {
    FieldDescriptor field = request.getDescriptorForType().findFieldByName(name);
    return field == null ? "" : String.valueOf(request.getField(field));
  }

  /**
   * What the request is. A command that starts a VM restores it if it is saved: the same command that is repeated when that
   * has been done finds a running VM, and calls the other method.
   */
  static Content content(String method, Message request) {
    boolean restores = request instanceof RestoreVmRequest;
    Message same = switch (request) {
      case RestoreVmRequest restore ->
        StartVmRequest.newBuilder().setName(restore.getName()).setHost(restore.getHost()).build();
      // Which only one of the two methods has.
      case StartVmRequest start -> start.toBuilder().clearForceDisks().build();
      default -> request;
    };
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      bytes.write((restores ? START : method).getBytes(StandardCharsets.UTF_8));
      bytes.write(0);
      CodedOutputStream out = CodedOutputStream.newInstance(bytes);
      // Maps in one order, whatever order the caller's had.
      out.useDeterministicSerialization();
      same.writeTo(out);
      out.flush();
      return new Content(method, ByteString.copyFrom(MessageDigest.getInstance("SHA-256").digest(bytes.toByteArray())));
    } catch (IOException | NoSuchAlgorithmException e) {
      throw new IllegalStateException("a request cannot be hashed", e);
    }
  }

  /** The recorded answer, as the answer of a method that may be the other one of the two. */
  static ByteString answer(Finished finished, String method) {
    ByteString recorded = finished.outcome().getResponse();
    try {
      if (finished.method().equals(RESTORE) && method.equals(START)) {
        return RestoreVmUpdate.parseFrom(recorded).getVm().toByteString();
      }
      if (finished.method().equals(START) && method.equals(RESTORE)) {
        return RestoreVmUpdate.newBuilder().setVm(Vm.parseFrom(recorded)).build().toByteString();
      }
      return recorded;
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("the recorded answer of a request is damaged", e);
    }
  }
}
