namespace Muse.Diffusion;

/// <summary>Small systems of linear equations.</summary>
static class LinearSystem
{
    /// <summary>
    /// Solves A·X = B by Gauss–Jordan elimination without pivoting, in place. A's diagonal must not become zero on the way.
    /// </summary>
    /// <param name="matrix">A, n × n in row-major order; destroyed.</param>
    /// <param name="right">B, n × <paramref name="columns"/> in row-major order; becomes X.</param>
    /// <param name="columns">How many right-hand sides.</param>
    public static void Solve(Span<double> matrix, Span<double> right, int columns)
    {
        var n = right.Length / columns;
        for (var pivot = 0; pivot < n; pivot++)
        {
            for (var row = 0; row < n; row++)
            {
                if (row == pivot)
                    continue;
                var factor = matrix[row * n + pivot] / matrix[pivot * n + pivot];
                for (var k = pivot; k < n; k++)
                    matrix[row * n + k] -= factor * matrix[pivot * n + k];
                for (var k = 0; k < columns; k++)
                    right[row * columns + k] -= factor * right[pivot * columns + k];
            }
        }
        for (var row = 0; row < n; row++)
        {
            for (var k = 0; k < columns; k++)
                right[row * columns + k] /= matrix[row * n + row];
        }
    }
}
