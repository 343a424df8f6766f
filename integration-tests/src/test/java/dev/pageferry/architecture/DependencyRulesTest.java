package dev.pageferry.architecture;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The dependency rules of docs/ARCHITECTURE.md. */
@AnalyzeClasses(packages = "dev.pageferry", importOptions = DoNotIncludeTests.class)
class DependencyRulesTest {
  private static final String AGENT = "dev.pageferry.agent";
  private static final String COORDINATOR = "dev.pageferry.coordinator";
  private static final String FERRY = "dev.pageferry.ferry";

  @ArchTest
  static final ArchRule agentHasNoPackageCycles = slices().matching("dev.pageferry.agent.(**)").should()
      .beFreeOfCycles();
  @ArchTest
  static final ArchRule coordinatorHasNoPackageCycles = slices().matching("dev.pageferry.coordinator.(**)").should()
      .beFreeOfCycles();
  @ArchTest
  static final ArchRule theCommandHasNoPackageCycles = slices().matching("dev.pageferry.ferry.(**)").should()
      .beFreeOfCycles();
  @ArchTest
  static final ArchRule commonHasNoPackageCycles = slices().matching("dev.pageferry.common.(**)").should()
      .beFreeOfCycles();

  @ArchTest
  static final ArchRule sourceNeverMeetsDestination = noClasses().that().resideInAPackage(AGENT + ".migration.source..")
      .should()
      .dependOnClassesThat().resideInAPackage(AGENT + ".migration.destination..");
  @ArchTest
  static final ArchRule destinationNeverMeetsSource = noClasses().that()
      .resideInAPackage(AGENT + ".migration.destination..").should()
      .dependOnClassesThat().resideInAPackage(AGENT + ".migration.source..");

  @ArchTest
  static final ArchRule foreignMemoryStaysAtTheBottom = noClasses().that().resideInAPackage("dev.pageferry..").and()
      .resideOutsideOfPackages(AGENT + ".memory..", AGENT + ".codec..", AGENT + ".os..").should().dependOnClassesThat()
      .resideInAPackage("java.lang.foreign..");
  @ArchTest
  // The command tunes the event loop of its gRPC channel, to start and end fast.
  static final ArchRule nettyStaysInTransport = noClasses().that().resideInAPackage("dev.pageferry..").and()
      .resideOutsideOfPackages(AGENT + ".transport..", AGENT + ".network..", FERRY + ".session..").should()
      .dependOnClassesThat()
      .resideInAPackage("io.netty..");
  @ArchTest
  static final ArchRule grpcStaysAtTheEdges = noClasses().that().resideInAPackage("dev.pageferry..").and()
      .resideOutsideOfPackages(AGENT + ".rpc..", COORDINATOR + ".rpc..", COORDINATOR + ".agents.grpc..",
          // Micrometer's binder counts calls as an interceptor.
          AGENT + ".metrics..", COORDINATOR + ".metrics..",
          FERRY + "..", "dev.pageferry.proto..")
      .should().dependOnClassesThat().resideInAPackage("io.grpc..");
  @ArchTest
  static final ArchRule micrometerStaysInMetrics = noClasses().that().resideInAPackage("dev.pageferry..").and()
      .resideOutsideOfPackages(AGENT + ".metrics..", COORDINATOR + ".metrics..", "dev.pageferry.common.metrics..")
      .should()
      .dependOnClassesThat().resideInAPackage("io.micrometer..");

  @ArchTest
  static final ArchRule memoryKnowsNothingOfGuestsOrMigration = classes().that().resideInAPackage(AGENT + ".memory..")
      .should()
      .onlyDependOnClassesThat(
          resideInAnyPackage(AGENT + ".memory..", AGENT + ".os..", "dev.pageferry.common..", "java..", "org.slf4j..",
              "org.jspecify.."));
  @ArchTest
  static final ArchRule disksKnowNothingOfGuests = classes().that().resideInAPackage(AGENT + ".disk..").should()
      .onlyDependOnClassesThat(resideInAnyPackage(AGENT + ".disk..", AGENT + ".os..", "dev.pageferry.common..",
          "java..", "org.slf4j..", "org.jspecify.."));
  @ArchTest
  static final ArchRule theNetworkKnowsNothingOfGuests = classes().that().resideInAPackage(AGENT + ".network..")
      .should()
      .onlyDependOnClassesThat(resideInAnyPackage(AGENT + ".network..", AGENT + ".os..", "dev.pageferry.common..",
          "java..", "io.netty..", "org.slf4j..", "org.jspecify.."));
  @ArchTest
  static final ArchRule servicesKnowOnlyMemoryAndPackets = classes().that().resideInAPackage(AGENT + ".service..")
      .should().onlyDependOnClassesThat(resideInAnyPackage(AGENT + ".service..", AGENT + ".memory..",
          "dev.pageferry.common..", "java..", "org.jspecify.."));
  @ArchTest
  static final ArchRule savedStatesKnowNothingOfGuests = classes().that().resideInAPackage(AGENT + ".savedstate..")
      .should().onlyDependOnClassesThat(resideInAnyPackage(AGENT + ".savedstate..", AGENT + ".codec..",
          AGENT + ".memory..", AGENT + ".disk..", AGENT + ".os..", "dev.pageferry.common..", "java..", "org.slf4j..",
          "org.jspecify.."));
  @ArchTest
  static final ArchRule guestKnowsNothingOfMigration = noClasses().that().resideInAPackage(AGENT + ".guest..").should()
      .dependOnClassesThat()
      .resideInAnyPackage(AGENT + ".migration..", AGENT + ".savedstate..", AGENT + ".wire..", AGENT + ".transport..",
          AGENT + ".rpc..");
  @ArchTest
  static final ArchRule theSeamKnowsNoMachine = classes().that().resideInAPackage(AGENT + ".guest").should()
      .onlyDependOnClassesThat(resideInAnyPackage(AGENT + ".guest", AGENT + ".memory..", AGENT + ".disk..",
          AGENT + ".ownership..", "dev.pageferry.common..", "dev.pageferry.proto.agent..", "java..", "org.slf4j..",
          "org.jspecify.."));
  @ArchTest
  static final ArchRule onlyWiringKnowsTheBuiltInMachine = classes().that()
      .resideInAPackage(AGENT + ".guest.builtin..").should()
      .onlyHaveDependentClassesThat().resideInAnyPackage(AGENT, AGENT + ".guest.builtin..");
  @ArchTest
  static final ArchRule wireKnowsNothingOfSockets = noClasses().that().resideInAPackage(AGENT + ".wire..").should()
      .dependOnClassesThat()
      .resideInAnyPackage(AGENT + ".migration..", AGENT + ".transport..", AGENT + ".guest..", AGENT + ".memory..");
  @ArchTest
  static final ArchRule storeKnowsNothingOfWhatItKeeps = noClasses().that().resideInAPackage(COORDINATOR + ".store..")
      .should()
      .dependOnClassesThat()
      .resideInAnyPackage(COORDINATOR + ".ownership..", COORDINATOR + ".inventory..", "dev.pageferry.proto..");
  @ArchTest
  static final ArchRule wiringIsUsedByNone = noClasses().that()
      .resideInAnyPackage(AGENT + ".*..", COORDINATOR + ".*..", FERRY + ".*..")
      .should()
      .dependOnClassesThat().resideInAnyPackage(AGENT, COORDINATOR, FERRY);
  @ArchTest
  static final ArchRule theCommandSpeaksOnlyTheClusterApi = classes().that().resideInAPackage(FERRY + "..").should()
      .onlyDependOnClassesThat(resideInAnyPackage(FERRY + "..", "dev.pageferry.proto.cluster..",
          "dev.pageferry.proto.report..", "dev.pageferry.common..", "java..", "picocli..", "com.google.protobuf..",
          "com.google.gson..", "org.yaml.snakeyaml..", "org.HdrHistogram..", "io.grpc..", "io.netty..",
          "org.jspecify.."));
  @ArchTest
  static final ArchRule whatIsSeenKnowsNoConnection = classes().that().resideInAPackage(FERRY + ".view..").should()
      .onlyDependOnClassesThat(resideInAnyPackage(FERRY + ".view..", "dev.pageferry.proto.cluster..",
          "dev.pageferry.proto.report..", "dev.pageferry.common..", "java..", "com.google.protobuf..",
          "com.google.gson..", "org.yaml.snakeyaml..", "org.jspecify.."));
  @ArchTest
  static final ArchRule theServersDoNotKnowTheCommand = noClasses().that()
      .resideInAnyPackage(AGENT + "..", COORDINATOR + "..", "dev.pageferry.common..").should().dependOnClassesThat()
      .resideInAPackage(FERRY + "..");
  @ArchTest
  static final ArchRule noPackageForEverythingElse = noClasses().should().resideInAnyPackage("..util..", "..helper..",
      "..misc..");
}
