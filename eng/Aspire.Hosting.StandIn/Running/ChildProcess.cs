using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Aspire.Hosting.Running;

/// <summary>A process that ends when this one does, however this one ends, with all that it started.</summary>
/// <remarks>
/// It leads a session of its own (so Ctrl+C in the terminal does not reach it before we stop it in order). A watcher in the same
/// session reads a pipe whose other end only this process holds: when this process dies, by SIGKILL too, the system closes the pipe, and
/// the watcher kills the session's process group. Linux' PR_SET_PDEATHSIG is no way here: it fires when the thread that started the child ends,
/// and grandchildren don't inherit it.
/// </remarks>
sealed class ChildProcess : IAsyncDisposable
{
    const int SigTerm = 15, SigKill = 9;

    // The watcher is started through a subshell that ends at once, so that it is not the program's child.
    // $1 is a command to run first when this process has died (to remove a container); empty for none.
    const string Launcher = """
        exec 3<&0 </dev/null
        ( ( trap '' HUP INT TERM; read -r _ <&3; eval "$1"; kill -KILL 0 ) >/dev/null 2>&1 & )
        exec 3<&-
        shift
        exec "$@"
        """;

    readonly Process process;
    readonly Task exit;

    ChildProcess(Process process)
    {
        this.process = process;
        exit = WaitAsync();
    }

    /// <summary>Its id: that of the program itself, not of a launcher.</summary>
    public int Id => process.Id;

    /// <summary>Completes with the exit code when the program has ended and what it started is gone.</summary>
    public Task<int> Exit => exit.ContinueWith(_ => process.ExitCode, TaskScheduler.Default);

    /// <summary>Starts a program.</summary>
    /// <param name="command">Its path, or its name on the PATH.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="workingDirectory">The folder it runs in.</param>
    /// <param name="environment">Variables to set, or with null to remove, over this process' own.</param>
    /// <param name="log">Takes each line it writes.</param>
    /// <param name="cleanUp">A shell command to run when this process has died, before the program is killed.</param>
    /// <exception cref="DistributedApplicationException">There is no such program, or no <c>setsid</c>.</exception>
    public static ChildProcess Start(string command, IEnumerable<string> arguments, string workingDirectory, IEnumerable<KeyValuePair<string, string?>> environment, Action<string> log, string cleanUp = "")
    {
        if (OnPath(command) is null)
            throw new DistributedApplicationException($"There is no program '{command}'.");
        if (OnPath("setsid") is null)
            throw new DistributedApplicationException("The stand-in for Aspire needs the program 'setsid' (package util-linux) to start processes that can't outlive it.");
        if (!Directory.Exists(workingDirectory))
            throw new DistributedApplicationException($"There is no folder '{workingDirectory}'.");
        var start = new ProcessStartInfo("setsid", ["/bin/sh", "-c", Launcher, "launcher", cleanUp, command, .. arguments])
        {
            WorkingDirectory = workingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => { if (line.Data is not null) log(line.Data); };
        process.ErrorDataReceived += (_, line) => { if (line.Data is not null) log(line.Data); };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return new ChildProcess(process);
    }

    /// <summary>SIGTERM, and SIGKILL to its whole group after the grace.</summary>
    /// <returns>Whether it ended within the grace.</returns>
    public async Task<bool> StopAsync(TimeSpan grace, TimeProvider time)
    {
        Signal(process.Id, SigTerm);
        try
        {
            await exit.WaitAsync(grace, time);
            return true;
        }
        catch (TimeoutException)
        {
            Signal(-process.Id, SigKill);
            await exit;
            return false;
        }
    }

    /// <summary>Finds a program: a path as it is, a name on the PATH.</summary>
    public static string? OnPath(string command) => command.Contains('/')
        ? File.Exists(command) ? command : null
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, command)).FirstOrDefault(File.Exists);

    async Task WaitAsync()
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => ended.TrySetResult();
        if (process.HasExited) ended.TrySetResult();
        await ended.Task;
        process.StandardInput.Close();
        // The output's end too, unless something that left the session holds it open.
        try { await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(1)); }
        catch (TimeoutException) { }
    }

    static void Signal(int process, int signal)
    {
        const int NoSuchProcess = 3;
        if (Kill(process, signal) != 0 && Marshal.GetLastPInvokeError() is not NoSuchProcess and var error)
            throw new Win32Exception(error);
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    static extern int Kill(int process, int signal);

    /// <summary>Kills what is left of it.</summary>
    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        await exit;
        process.Dispose();
    }
}
