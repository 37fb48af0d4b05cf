#!/usr/bin/env python3
"""A terminal that answers each question DELAY seconds after the one before. Runs a command in it, and says what its
answers left for the user's shell: answerterm.py DELAY COMMAND [ARG...]"""
import fcntl, os, pty, re, select, subprocess, sys, termios, time

QUESTION = re.compile(rb"\x1b\[[?>=]?\d*[cn]|\x1bP\$q.*?\x1b\\|\x1b\]\d+;\?(?:\x07|\x1b\\)|\x1b\[>q|\x1b\[\?u")


def answer(question):
    if question.endswith(b"c"):
        return b"\x1b[?1;2c"
    if question.endswith(b"n"):
        return b"\x1b[5;5R"
    if question[1:2] == b"P":
        return b"\x1bP1$r0m\x1b\\"
    return b"\x1b]11;rgb:0/0/0\x1b\\"


def main():
    delay, argv = float(sys.argv[1]), sys.argv[2:]
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, b"\x18\0\x50\0\0\0\0\0")
    p = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                         preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    seen, due, ended, end = b"", [], None, time.time() + 30
    while time.time() < end and not (ended and time.time() - ended > 1):
        if select.select([master], [], [], 0.005)[0]:
            seen += os.read(master, 65536)
            while k := QUESTION.search(seen):
                seen = seen[k.end():]
                due.append((max(due[-1][0] if due else 0, time.time()) + delay, answer(k.group(0))))
        while due and due[0][0] <= time.time():
            os.write(master, due.pop(0)[1])
        if ended is None and p.poll() is not None:
            ended = time.time()
    fcntl.fcntl(slave, fcntl.F_SETFL, os.O_NONBLOCK)
    mode = termios.tcgetattr(slave)
    mode[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(slave, termios.TCSANOW, mode)
    try:
        left = os.read(slave, 65536)
    except BlockingIOError:
        left = b""
    print("status", p.returncode, "left", left)


main()
