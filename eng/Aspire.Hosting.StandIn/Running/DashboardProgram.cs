using System.Runtime.InteropServices;

namespace Aspire.Hosting.Running;

/// <summary>Where the Aspire CLI lies: in <c>.tools/</c> of the repository, or on the PATH.</summary>
sealed class DashboardProgram(string folder)
{
    static readonly string Package = $"aspire-cli-{(OperatingSystem.IsMacOS() ? "osx" : "linux")}-{RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant()}";

    /// <summary>Its path, or null.</summary>
    public string? Path => Above().Select(parent => System.IO.Path.Combine(parent, ".tools", "node_modules", "@microsoft", Package, "bin", "aspire")).FirstOrDefault(File.Exists)
        ?? ChildProcess.OnPath("aspire");

    /// <summary>What to type to get it.</summary>
    public string InstallCommand => $"npm install --prefix .tools @microsoft/{Package}";

    IEnumerable<string> Above()
    {
        for (var parent = new DirectoryInfo(folder); parent is not null; parent = parent.Parent)
            yield return parent.FullName;
    }
}
