# SPDX-License-Identifier: Apache-2.0
"""A Debian machine under QEMU's software emulation, driven from the test run."""
