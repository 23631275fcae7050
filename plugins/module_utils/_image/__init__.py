# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lantern's container image, made on the Ansible controller. PRIVATE to the homelab.lantern collection.

    source.py    what the image is made from, and the tag that follows from it
    archive.py   what lies inside an image archive: name, architecture
    wheels.py    the Python packages of the image, for any architecture, by pip
    debian.py    the same from packages of Debian, where there are no wheels
    builders.py  podman, buildah or docker: load a base image, build, save, pull, publish
    making.py    the steps in their order, with a cache that makes each of them happen once
    publishing.py  the results in a registry
    programs.py  what is said to ctr, crictl and docker on a node
    runtime.py   a node's images

The Containerfile copies only and runs nothing, so that an image for a Raspberry Pi is built on a PC without emulation.
"""
