using System.Runtime.InteropServices;

namespace Muse.Tests.Infrastructure;

/// <summary>What one process may tell another.</summary>
public enum Signal
{
    Kill = 9,
    Terminate = 15,
    Continue = 18,
    Stop = 19,
}

/// <summary>Sends signals.</summary>
public static class Signals
{
    /// <summary>Sends it to one process, by its id. After <see cref="Signal.Stop"/>, none of its threads runs when this returns.</summary>
    public static void SendTo(this Signal signal, int process)
    {
        _ = kill(process, (int)signal);
        // The kernel stops the threads one after the other, on a busy machine after some milliseconds.
        if (signal == Signal.Stop && OperatingSystem.IsLinux())
            SpinWait.SpinUntil(() => !Runs(process), TimeSpan.FromSeconds(10));
    }

    static bool Runs(int process)
    {
        try
        {
            return Directory.GetDirectories($"/proc/{process}/task").Any(thread =>
            {
                var stat = File.ReadAllText(Path.Combine(thread, "stat"));
                return stat[stat.LastIndexOf(')') + 2] is not ('T' or 'Z' or 'X');
            });
        }
        catch (IOException)
        {
            return Directory.Exists($"/proc/{process}"); // A thread has ended, or the process.
        }
    }

#pragma warning disable SYSLIB1054 // One call with two numbers: nothing to generate.
    [DllImport("libc")]
    static extern int kill(int id, int signal);
#pragma warning restore SYSLIB1054
}
