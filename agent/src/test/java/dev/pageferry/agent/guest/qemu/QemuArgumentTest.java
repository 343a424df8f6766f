package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QemuArgumentTest {
  @Test
  void anOptionIsSeparatedFromItsValueByTheFirstEqualsSign() {
    assertThat(QemuArgument.parse("rtc=base=localtime").argv()).containsExactly("-rtc", "base=localtime");
    assertThat(QemuArgument.parse("no-hpet").argv()).containsExactly("-no-hpet");
    assertThat(QemuArgument.parse("rtc=base=localtime")).hasToString("rtc=base=localtime");
  }

  @ParameterizedTest
  @ValueSource(strings = {"-rtc", "", "=x", "rtc base=localtime", "rtc,base"})
  void whatIsNotTheNameOfAnOptionIsRefused(String text) {
    assertThatThrownBy(() -> QemuArgument.parse(text)).hasMessageContaining("is not the name of an option of QEMU");
  }

  @ParameterizedTest
  @ValueSource(strings = {"machine=pc", "accel=kvm", "S", "qmp=stdio", "sandbox=off", "incoming=defer"})
  void whatTheAgentReliesOnCanBeNeitherAddedNorAllowed(String text) {
    assertThatThrownBy(() -> QemuArgument.parse(text)).hasMessageContaining("one that the agent gives itself");
    assertThatThrownBy(() -> QemuArgument.parseAllowed("rtc," + text.split("=")[0]))
        .hasMessageContaining("one that the agent gives itself");
  }

  @Test
  void aValueThatNoCommandLineShouldHaveIsRefused() {
    assertThatThrownBy(() -> QemuArgument.parse("rtc=a\nb")).hasMessageContaining("control characters");
    assertThatThrownBy(() -> QemuArgument.parse("rtc=" + "x".repeat(1025))).hasMessageContaining("1024 characters");
  }

  @Test
  void whatIsAllowedIsAListOfNames() {
    assertThat(QemuArgument.parseAllowed("rtc, no-hpet,")).containsExactly("no-hpet", "rtc");
    assertThat(QemuArgument.parseAllowed("")).isEmpty();
  }
}
