package dev.pageferry.coordinator.rpc;

import static dev.pageferry.common.tls.Role.COORDINATOR;
import static dev.pageferry.common.tls.Role.HOST;
import static dev.pageferry.common.tls.Role.METRICS;
import static dev.pageferry.common.tls.Role.OPERATOR;
import static dev.pageferry.common.tls.Role.VIEWER;

import dev.pageferry.common.tls.Role;
import dev.pageferry.proto.cluster.v1.AccessGrpc;
import dev.pageferry.proto.cluster.v1.AvailabilityGrpc;
import dev.pageferry.proto.cluster.v1.BackupGrpc;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.cluster.v1.EventsGrpc;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc;
import dev.pageferry.proto.cluster.v1.ValidationGrpc;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** Which members may call which method. A method that is not named here is for nobody. */
final class Permissions {
  private static final Set<Role> ANY_MEMBER = Set.of(HOST, COORDINATOR, OPERATOR, VIEWER, METRICS);
  private static final Set<Role> OPERATORS = Set.of(OPERATOR);
  private static final Set<Role> READERS = Set.of(OPERATOR, VIEWER);
  private static final Set<Role> HOSTS = Set.of(HOST);
  private static final Map<String, Set<Role>> TABLE = table();

  private Permissions() {
  }

  private static Map<String, Set<Role>> table() {
    Map<String, Set<Role>> table = new HashMap<>();
    put(table, ClusterGrpc.SERVICE_NAME, READERS, "ListHosts", "GetHost", "ListVms", "GetVm", "ListDisks", "GetDisk",
        "ListVteps", "ListMigrations", "GetMigration", "WatchMigration");
    put(table, AvailabilityGrpc.SERVICE_NAME, READERS, "PlaceVm", "CheckHa", "GetHaStatus");
    put(table, AvailabilityGrpc.SERVICE_NAME, OPERATORS, "ArmHa", "SetFencing", "TestFencing");
    put(table, EventsGrpc.SERVICE_NAME, READERS, "ListEvents");
    put(table, MaintenanceGrpc.SERVICE_NAME, READERS, "GetPlan", "ListPlans");
    put(table, MaintenanceGrpc.SERVICE_NAME, OPERATORS, "DrainHost", "ActivateHost", "Rebalance", "CancelPlan",
        "BeginRolling",
        "NoteRolling");
    put(table, ClusterGrpc.SERVICE_NAME, OPERATORS, "ConfirmHostDead", "RepairRecords", "ClaimVm", "CreateVm",
        "StartVm",
        "RestoreVm", "PauseVm", "ResumeVm", "SetVm", "StopVm", "DeleteVm", "SaveVm", "CreateDisk", "DeleteDisk",
        "AddVtep",
        "DeleteVtep", "MigrateLive", "MigrateQuick", "CancelMigration");
    // They read, but what guests have in memory, or are sent.
    put(table, ClusterGrpc.SERVICE_NAME, OPERATORS, "UseConsole", "DigestVm", "VerifyVm", "JoinNetwork");
    put(table, AccessGrpc.SERVICE_NAME, OPERATORS, "AdmitHost", "DeleteHost", "RevokeMember", "ListAudit");
    put(table, AccessGrpc.SERVICE_NAME, READERS, "WhoAmI");
    // All that the coordinator knows.
    put(table, BackupGrpc.SERVICE_NAME, OPERATORS, "BackUp");
    // It writes to storage and fills links for a moment.
    put(table, ValidationGrpc.SERVICE_NAME, OPERATORS, "Validate");
    put(table, HostRegistryGrpc.SERVICE_NAME, HOSTS, "Register", "Heartbeat");
    put(table, OwnershipGrpc.SERVICE_NAME, HOSTS, "Commit", "PreparedCommit", "Resolve", "NoteSaved", "GiveBack",
        "Started", "TakeOver", "Probe");
    put(table, HealthGrpc.SERVICE_NAME, ANY_MEMBER, "Check", "Watch", "List");
    put(table, ServerReflectionGrpc.SERVICE_NAME, ANY_MEMBER, "ServerReflectionInfo");
    return Map.copyOf(table);
  }

  private static void put(Map<String, Set<Role>> table, String service, Set<Role> roles, String... methods) {
    for (String each : methods) {
      table.put(service + "/" + each, roles);
    }
  }

  /** @param method with its service: {@code pageferry.cluster.v1.Cluster/ListHosts} */
  static Set<Role> of(String method) {
    return TABLE.getOrDefault(method, Set.of());
  }
}
