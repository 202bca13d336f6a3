-- one row per kind of preference and value of a part as of :as_of
with habits as (
    select
        entity_id,
        dimension,
        value,
        times,
        all_times,
        cast(rounded(cast(amount as double) / nullif(cast(all_amount as double), 0), 6) as decimal(9, 6)) as amount_share
    from order_habits
    union all
    select
        entity_id,
        dimension,
        value,
        times,
        all_times,
        cast(null as decimal(9, 6)) as amount_share
    from act_habits
),

-- rounded, so that sums are exact and neither parts nor the order of rows change them
shares as (
    select
        dimension,
        value,
        amount_share,
        cast(rounded(times / cast(all_times as double), 6) as decimal(9, 6)) as share,
        case
            when all_times > 1
                then
                    cast(
                        rounded(cast(times as double) * (times - 1) / (cast(all_times as double) * (all_times - 1)), 6)
                        as decimal(9, 6)
                    )
        end as agreement,
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
    cast(count(case when place = 1 then 1 end) as bigint) as customers,
    cast(count(case when place = 1 and all_times > 1 then 1 end) as bigint) as repeating
from shares
group by dimension, value
