-- one row per kind of preference and value of a part as of :as_of
-- rounded, so that sums are exact and neither parts nor the order of rows change them
with shares as (
    select
        dimension,
        value,
        cast(rounded(amount_share, 6) as decimal(9, 6)) as amount_share,
        cast(rounded(cast(times as double) / all_times, 6) as decimal(9, 6)) as share,
        case
            when all_times > 1
                then
                    cast(
                        rounded(
                            (cast(times as double) * cast(times as double) - cast(squares as double))
                            / (cast(all_times as double) * (all_times - 1)),
                            6
                        )
                        as decimal(9, 6)
                    )
        end as agreement,
        case
            when all_times > 1 then cast(rounded(cast(squares as double) / all_times, 6) as decimal(9, 6))
        end as own_agreement,
        row_number() over (partition by entity_id, dimension order by value) as place,
        all_times
    from habits
)

select
    dimension,
    value,
    cast(sum(share) as decimal(28, 6)) as share,
    cast(sum(amount_share) as decimal(28, 6)) as amount_share,
    cast(sum(agreement) as decimal(28, 6)) as agreement,
    cast(sum(own_agreement) as decimal(28, 6)) as own_agreement,
    cast(count(case when place = 1 then 1 end) as bigint) as customers,
    cast(count(case when place = 1 and all_times > 1 then 1 end) as bigint) as repeating
from shares
group by dimension, value
