# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What real peers have sent, as hexadecimal text.

SERF_*: serf as packaged by Debian 12 (memberlist 0.2.2); node s1 at 127.0.0.21, ours l1 at 127.0.0.22. MEMBERLIST_*:
a program of a few lines around memberlist 0.5.1, with the settings of MetalLB's speaker and the label `home`; node go1
at 127.0.0.31. Encrypted ones: SERF_KEY, and the key that MetalLB makes of METALLB_SECRET.
"""

SERF_KEY = bytes(range(32))
METALLB_SECRET = b"abcdefghijklmnopqrstuv"
LABEL = b"home"

# Checksum around a compound message of two alive messages.
SERF_GOSSIP = bytes.fromhex(
    "0c95636be40702003c003a0486a441646472a47f000015ab496e6361726e6174696f6e01a44d657461a2ff80a44e6f6465a2"
    "7331a4506f7274cd1f0aa356736ea60105020205050486a441646472a47f000016ab496e6361726e6174696f6e01a44d6574"
    "61c0a44e6f6465a26c31a4506f7274cd1f0aa356736ea6010502020504"
)

# A compressed compound message: a ping and two alive messages.
SERF_COMPRESSED = bytes.fromhex(
    "0982a4416c676f00a3427566da009e000f0c00d003000f003a001422e5e40d9932a2d8c42835a54c9c8601544d795347ce98"
    "3241c8909143ea0f0000153472f458a6e143517362a8ecf811ca1b39749a7d5040c010a990234b9eacb02a899b3161e4b809"
    "4327cd1b370148352943278ca87f80183a841893944d9c3a158cb232c78da9000504082850a0e74f91244d02b050f468d2a5"
    "4d9f469d5a1598d69712bddeccb9736cd9b369d7120808"
)

# A bare ping.
SERF_PING = bytes.fromhex(
    "0085a44e6f6465a26c31a55365714e6f02aa536f7572636541646472a47f000015aa536f757263654e6f6465a27331aa536f"
    "75726365506f7274cd1f0a"
)

# A compressed ack that carries serf's coordinates.
SERF_ACK = bytes.fromhex(
    "0982a4416c676f00a3427566da00670005083a05254c1e366fc290d10640500042aa82905153670e9d3665dcd05906a0a3c7"
    "8ea58ac891f346ceb21ff83e763485a44c9a336836fa2087af16a27168e28db252660c268e2a3b020d3a5465d18f473d2615"
    "1a9469d35253cac471f2c6d9ac162c6c0404"
)

# TCP: the compressed answer to a push/pull, with serf's user state.
SERF_STATE = bytes.fromhex(
    "0982a4416c676f00a3427566da00c9000d0c22a5e44d1a37c34a397943a6cc9c00acaacc2923670a9d3074ca3029e3a69900"
    "258748052143460ea93f0000545895c4cd983072dc604cf3c64d00524dca5c14f50f10292761da941135270629286fe4d069"
    "f64141298b18cb001865658e1b53010a08105040ab215545ec70a4c3844a1aa1014c851d3b879b0000c0e2ca9d4bb7aeddbb"
    "78f3eaddcbb7afdfbf80030b1e4cb8b0e1c388132b5eccb8b1e3bfa5ca9e2d1360d546337472b61143710e245551ea50cc23"
    "192d2ba874eacc29ed3010d118000202"
)

# SERF_GOSSIP of an encrypted cluster.
SERF_ENCRYPTED_GOSSIP = bytes.fromhex(
    "013d60ed95754b7c62d01d572c993b37262288dc877a8ab2a6ebac387066f4f45c740badc2170ca150da0454c6cba71057c8"
    "960794ba3ab29b9e105c9ea3fd9c5dd4f4ded02d3bcba3e99f3a1b0f591adeb93a1100d3e3a9f622fd399ffb8dbb6a308f8c"
    "9a1dd00257904f6d29b7ade129854b4c6db0f08bbc586838362e00af941d767ec45428c9f0f63cb59d95a1ab7411f954b565"
    "9e3787791310be8a"
)

# TCP: SERF_STATE of an encrypted cluster.
SERF_ENCRYPTED_STATE = bytes.fromhex(
    "0a000000f5013a16e199098083d2135f20f510e8f1d06e4898d7eff4d11062420ea62f32d888b7ce54f7f867750af0fd4860"
    "86de0c8546544b0214dd2f3aeee0b69e06a05863caf114482ab8fc6640649c9353288438fa08159d711dbe6fa5b68ab7bfa5"
    "c9b44d1e242fd2cf858f40c44da070402f753f95545e43fe3da7bcdc104f280287c729d28fb798cdbf6c29d5aa620ab43cd2"
    "763fa3e36cd6d019a9f1bc9ea2a9a525c12d507b8d2160215600653c1a980917954aaa46db16b120d534caba94b60f44421a"
    "e86a591baa76446c6945e739638c0d160d4d33bb7b62514ef83fd5593a36ee0ad8937b0b1046fc2a9b79efbc76fb10b292c9"
)

# Label and checksum around a compound message.
MEMBERLIST_GOSSIP = bytes.fromhex(
    "f404686f6d650c64ee5b6d0702003b003a0486a441646472a47f00001fab496e6361726e6174696f6e01a44d657461c0a44e"
    "6f6465a3676f31a4506f7274cd1f0aa356736ea60105020000000486a441646472a47f000016ab496e6361726e6174696f6e"
    "01a44d657461a0a44e6f6465a26c31a4506f7274cd1f0aa356736ea6010502000000"
)

# Label and an ack, whose payload is nil.
MEMBERLIST_ACK = bytes.fromhex("f404686f6d650282a75061796c6f6164c0a55365714e6fced3349318")

# Label and encryption; the label is authenticated.
MEMBERLIST_ENCRYPTED_GOSSIP = bytes.fromhex(
    "f404686f6d6501904193004d22bcbedfda299bd7ebaa1bde3ce4ba3288bcdae61fa8f14c2029c5a6266ef2e458b707534bb8"
    "c1c5a76d927499a75d1a6099260d142683fc57d8b93473cafde7fbeb698ec7ca021a5908b59bf8222458f7f4d80c7c8c4ded"
    "a0cd1db2c8ea081e98f1477a68c5f84273e1bfee159cc9a30da7782786d863767efb8e4c4dd7bcac0ce83c7df7e3faf7410c"
    "8fda1dfd82df56054fc6087fae"
)

# TCP: the encrypted and compressed answer to a push/pull; answers carry no label.
MEMBERLIST_ENCRYPTED_STATE = bytes.fromhex(
    "0a00000093011d3f43f4cb0fa4c4a66be4c33bd32ecf9115782e866425b34e75f7213cff524d8f5a16135c557ab963ea2475"
    "e4a8fea24807fe0c22adaa338de8cfab242ff8f77bc1e50b5c3aa658b6147a96054c4b4ab9e3259a380e4f4949c61f930f55"
    "283045e7282172d9b3ad17810d6e4b54be8555cb5afdb5be2c42b3b78d5c02f13747d19660cf6a8c4eda59ac376a5f8e3a6e"
    "9b2f"
)
