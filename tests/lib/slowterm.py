# slowterm.py COMMAND: a terminal that answers questions (DA) 0.15 s late. It presses the detach keys after a second, and
# prints what reached `cat`, which runs after the command on the same terminal.
import os, pty, select, sys, time

pid, fd = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", sys.argv[1] + "; echo LEFT; exec cat -v"])
start = time.monotonic()
out, answers, pressed, left = b"", [], False, None
while left is None or time.monotonic() - left < 1:
    now = time.monotonic()
    if select.select([fd], [], [], 0.01)[0]:
        b = os.read(fd, 65536)
        answers += [now + 0.15] * b.count(b"\x1b[c")
        out = (out + b)[-4096:]
        if left is None and b"LEFT\r\n" in out:
            left, out = now, out.split(b"LEFT\r\n", 1)[1]
    while answers and answers[0] <= now:
        os.write(fd, b"\x1b[?62;1c")
        answers.pop(0)
    if not pressed and now - start > 1:
        os.write(fd, b"\x1dd")
        pressed = True
    if now - start > 15:
        sys.exit("never left")
os.kill(pid, 9)
sys.stdout.write("typed:" + out.decode(errors="replace"))
