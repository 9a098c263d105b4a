using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace Muse.Diffusion;

/// <summary>Where <see cref="HostBuffer"/>s are taken from.</summary>
abstract unsafe class HostMemory : IDisposable
{
    public abstract void* Allocate(nuint bytes);

    public abstract void Free(void* pointer);

    public virtual void Dispose()
    {
    }

    /// <summary>Memory for a session's device: the process's own, or page-locked where a GPU copies from it.</summary>
    public static HostMemory For(InferenceSession session, ExecutionProvider provider)
    {
        if (provider.OnHost)
            return new Own();
        // Page-locked memory belongs to all of the host; which GPU's number it goes by differs between providers.
        foreach (var device in new[] { provider.DeviceId, 0 }.Distinct())
        {
            try
            {
                return new PageLocked(session, device);
            }
            catch (OnnxRuntimeException)
            {
                // Not every provider has it; copies from ordinary memory are slower and right.
            }
        }
        return new Own();
    }

    /// <summary>
    /// Gives memory that loading graphs left unused back to the system: glibc keeps up to a tenth of a large model. Elsewhere nothing.
    /// </summary>
    public static void ReturnFree()
    {
        if (OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libc.so.6", out var libc)
            && NativeLibrary.TryGetExport(libc, "malloc_trim", out var trim))
        {
            ((delegate* unmanaged<nuint, int>)trim)(0);
        }
    }

    sealed class Own : HostMemory
    {
        const nuint CacheLine = 64;

        public override void* Allocate(nuint bytes) => NativeMemory.AlignedAlloc(bytes, CacheLine);

        public override void Free(void* pointer) => NativeMemory.AlignedFree(pointer);
    }

    sealed class PageLocked : HostMemory
    {
        readonly OrtMemoryInfo info;
        readonly OrtAllocator allocator;
        readonly Dictionary<nint, OrtMemoryAllocation> taken = [];

        public PageLocked(InferenceSession session, int device)
        {
            info = new OrtMemoryInfo("CudaPinned", OrtAllocatorType.DeviceAllocator, device, OrtMemType.CpuOutput);
            allocator = new OrtAllocator(session, info);
        }

        public override void* Allocate(nuint bytes)
        {
            var allocation = allocator.Allocate(checked((uint)bytes));
            var pointer = allocation.DangerousGetHandle();
            taken[pointer] = allocation;
            return (void*)pointer;
        }

        public override void Free(void* pointer)
        {
            if (taken.Remove((nint)pointer, out var allocation))
                allocation.Dispose();
        }

        public override void Dispose()
        {
            allocator.Dispose();
            info.Dispose();
        }
    }
}
