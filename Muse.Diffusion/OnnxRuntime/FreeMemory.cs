using System.Globalization;
using System.Runtime.InteropServices;

namespace Muse.Diffusion;

/// <summary>How much memory is free where a provider runs.</summary>
static class FreeMemory
{
    const string MemoryFile = "/proc/meminfo", Available = "MemAvailable:";
    const long BytesPerKibibyte = 1024;

    // CUDA's runtime is loaded already, by ONNX Runtime's provider.
    static readonly string[] CudaRuntimes = ["libcudart.so.13", "libcudart.so.12", "cudart64_13.dll", "cudart64_12.dll"];

    delegate int CudaSetDevice(int device);

    delegate int CudaMemGetInfo(out nuint free, out nuint total);

    /// <summary>Free memory in bytes; null where it is not known.</summary>
    public static long? Of(ExecutionProvider provider) => provider.OnHost ? OfHost() : OfCuda(provider.DeviceId);

    // A container's limit is not in /proc/meminfo.
    static long? OfHost()
    {
        var limit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (!File.Exists(MemoryFile))
            return limit;
        var line = File.ReadLines(MemoryFile).FirstOrDefault(line => line.StartsWith(Available, StringComparison.Ordinal));
        var kibibytes = line?[Available.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
        return long.TryParse(kibibytes, CultureInfo.InvariantCulture, out var value) ? Math.Min(value * BytesPerKibibyte, limit) : limit;
    }

    static long? OfCuda(int device)
    {
        foreach (var name in CudaRuntimes)
        {
            if (NativeLibrary.TryLoad(name, out var library)
                && NativeLibrary.TryGetExport(library, "cudaSetDevice", out var setDevice)
                && NativeLibrary.TryGetExport(library, "cudaMemGetInfo", out var memGetInfo)
                && Marshal.GetDelegateForFunctionPointer<CudaSetDevice>(setDevice)(device) == 0
                && Marshal.GetDelegateForFunctionPointer<CudaMemGetInfo>(memGetInfo)(out var free, out _) == 0)
            {
                return (long)free;
            }
        }
        return null;
    }
}
